-- forget: drop a session that has gone from its owner's list, unless it was made again meanwhile.
-- KEYS[1] the owner's list  KEYS[2] the owner's lifetimes
-- ARGV[1] session id  ARGV[2] time of its newest activity, ms
-- Returns {OK}

local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return {'OK'}
