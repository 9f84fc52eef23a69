-- touch: note the newest activity of a session in its owner's list, and until when it lives. Older news change nothing.
-- KEYS[1] the owner's list (sorted set: session id by time of activity)
-- KEYS[2] the owner's lifetimes (sorted set: session id by the time of its end)
-- ARGV[1] session id  ARGV[2] time ms  ARGV[3] lifetime of the session, ms
-- Returns {OK}

local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known or tonumber(known) <= tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  redis.call('ZADD', KEYS[2], digits(ARGV[2] + ARGV[3]), ARGV[1])
end
-- Both live as long as the session that lives longest.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then expire(tonumber(ARGV[3]), KEYS[1]) end
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then expire(tonumber(ARGV[3]), KEYS[2]) end
return {'OK'}
