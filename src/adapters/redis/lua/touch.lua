-- touch: note the newest activity of a session in its owner's list. Older news change nothing.
-- KEYS[1] the owner's list (sorted set: session id by time of activity)
-- ARGV[1] session id  ARGV[2] time ms  ARGV[3] lifetime of the session, ms
-- Returns {OK}

redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
-- The list lives as long as the session that lives longest.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {'OK'}
