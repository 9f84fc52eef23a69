-- count: add what turns have used to their owner's sums of a month, each once.
-- KEYS[1] the sums (hash)  KEYS[2] the owner's turns that were counted lately (sorted set: by time)
-- ARGV[1] lifetime of the sums, ms  ARGV[2] how long a turn is remembered, ms  ARGV[3] how many are
-- ARGV, seven for each turn: its name, the state in which it ended, tokens: prompt, output, thought, cached, total
-- Returns {OK} (also for a resend)

local ms = math.floor(now_us() / 1000)
for i = 4, #ARGV, 7 do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    add_usage(KEYS[1], ARGV[i + 1], {unpack(ARGV, i + 2, i + 6)})
    redis.call('ZADD', KEYS[2], digits(ms), ARGV[i])
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', digits(ms - tonumber(ARGV[2])))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[3]))
expire(tonumber(ARGV[1]), KEYS[1])
expire(tonumber(ARGV[2]), KEYS[2])
return {'OK'}
