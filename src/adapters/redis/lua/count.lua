-- count: add what a turn has used to its owner's sums of a month, once.
-- KEYS[1] the sums (hash)  KEYS[2] the owner's turns that were counted lately (sorted set: by time)
-- ARGV[1] the turn, as <session id>/<epoch>  ARGV[2] lifetime of the sums, ms
-- ARGV[3] how long a turn is remembered, ms  ARGV[4] how many are  ARGV[5] state in which it ended
-- ARGV[6..10] tokens: prompt, output, thought, cached, total
-- Returns {OK} (also for a resend)

if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return {'OK'} end
local ms = math.floor(now_us() / 1000)
add_usage(KEYS[1], ARGV[5], {unpack(ARGV, 6, 10)})
redis.call('ZADD', KEYS[2], digits(ms), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', digits(ms - tonumber(ARGV[3])))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
expire(tonumber(ARGV[2]), KEYS[1])
expire(tonumber(ARGV[3]), KEYS[2])
return {'OK'}
