-- rewrap: put another wrapping around the key that the contents of a session are sealed with.
-- KEYS[1] meta
-- ARGV[1] id of its seal  ARGV[2] wrapped key
-- Returns {OK} | {NO}: the session has another seal, or is gone

if redis.call('HGET', KEYS[1], 'seal') ~= ARGV[1] then return {'NO'} end
redis.call('HSET', KEYS[1], 'sealkey', ARGV[2])
return {'OK'}
