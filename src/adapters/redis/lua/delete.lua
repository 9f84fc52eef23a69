-- delete: remove every trace of a session. A producer that still runs finds it gone.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] version that it must have, or empty
-- Returns {OK, time of its newest activity, ms, what made it, epoch}, and of a running turn the replica that produces it
--   | {MOVED, version} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'utime', 'made', 'epoch', 'holder', 'version')
if not meta[1] then return {'GONE'} end
if ARGV[1] ~= '' and ARGV[1] ~= meta[5] then return {'MOVED', meta[5]} end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
ring(KEYS[1])
return {'OK', meta[1], meta[2], meta[3], meta[4]}
