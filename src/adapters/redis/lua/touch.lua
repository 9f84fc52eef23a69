-- touch: note the newest activity of sessions in their owner's list, and until when they live. Older news change nothing.
-- KEYS[1] the owner's list (sorted set: session id by time of activity)
-- KEYS[2] the owner's lifetimes (sorted set: session id by the time of its end)
-- ARGV, three for each session: its id, time ms, its lifetime, ms
-- Returns {OK}

local longest = 0
for i = 1, #ARGV, 3 do
  local id, ms, ttl = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local known = redis.call('ZSCORE', KEYS[1], id)
  if not known or tonumber(known) <= tonumber(ms) then
    redis.call('ZADD', KEYS[1], ms, id)
    redis.call('ZADD', KEYS[2], digits(ms + ttl), id)
  end
  longest = math.max(longest, ttl)
end
-- Both live as long as the session that lives longest.
if redis.call('PTTL', KEYS[1]) < longest then expire(longest, KEYS[1]) end
if redis.call('PTTL', KEYS[2]) < longest then expire(longest, KEYS[2]) end
return {'OK'}
