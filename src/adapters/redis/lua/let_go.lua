-- let_go: give up a claim whose outcome is not known. If it was made, its turn is dead, and whoever comes next ends it.
-- KEYS[1] meta  KEYS[2] turns
-- ARGV[1] turn id  ARGV[2] attempt
-- Returns {OK}

local meta = redis.call('HMGET', KEYS[1], 'turn', 'begun')
if meta[1] == ARGV[1] and meta[2] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'lease', 0)
  ring(KEYS[1])
end
if redis.call('HEXISTS', KEYS[2], ARGV[1] .. '/wait') == 1 then
  redis.call('HSET', KEYS[2], ARGV[1] .. '/wait', 0)
  ring(KEYS[1])
end
return {'OK'}
