-- renew: the producer of the running turn promises to be alive for another while.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] epoch  ARGV[2] lease ms
-- Returns {OK, what to keep if it is to be cancelled, or nothing} | {FENCED} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'turn', 'born', 'cancel')
if not meta[1] or tonumber(ARGV[1]) <= tonumber(meta[3]) then return {'GONE'} end
if meta[1] ~= ARGV[1] or not meta[2] then return {'FENCED'} end

redis.call('HSET', KEYS[1], 'lease', digits(math.floor(now_us() / 1000) + tonumber(ARGV[2])))
-- A session does not expire under its running turn, however short its lifetime.
local least = 2 * ARGV[2]
if redis.call('PTTL', KEYS[1]) < least then expire(least, KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]) end
return {'OK', meta[4]}
