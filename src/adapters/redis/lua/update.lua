-- update: replace the configuration of a session.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] attempt  ARGV[2] version it was made from  ARGV[3] config  ARGV[4] ttl ms
-- Returns {OK} (also for a resend of the same attempt) | {MOVED, version} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'version', 'changes', 'lease')
if not meta[1] then return {'GONE'} end
if is_made(meta[2], ARGV[1]) then return {'OK'} end
if meta[1] ~= ARGV[2] then return {'MOVED', meta[1]} end

local ms = math.floor(now_us() / 1000)
redis.call('HSET', KEYS[1], 'changes', made(meta[2], ARGV[1]), 'config', ARGV[3], 'ttl', ARGV[4], 'utime', digits(ms))
redis.call('HINCRBY', KEYS[1], 'version', 1)

-- A session does not expire under its running turn.
local ttl = tonumber(ARGV[4])
if meta[3] then ttl = math.max(ttl, 2 * (tonumber(meta[3]) - ms)) end
expire(ttl, KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
if redis.call('PTTL', KEYS[3]) > ttl then expire(ttl, KEYS[3]) end
return {'OK'}
