-- keep: hold places of an owner for another while; those whose lease was over, too: they are in use.
-- KEYS[1] the places of one kind that the owner holds (sorted set: place by the end of its lease, ms)
-- ARGV[1] lease ms  ARGV[2..] the places
-- Returns {OK}

local until_ms = digits(math.floor(now_us() / 1000) + tonumber(ARGV[1]))
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], until_ms, ARGV[i]) end
expire(tonumber(ARGV[1]), KEYS[1])
return {'OK'}
