-- reap: end a turn whose producer's lease has run out.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] turn id  ARGV[2] epoch  ARGV[3] seq of the terminal event  ARGV[4] its frame  ARGV[5] turn record
-- ARGV[6] log ttl ms  ARGV[7] turns to keep  ARGV[8] bytes of turns to keep
-- Returns {REAPED, activity ms, ttl ms} | {NO}: alive, or ended otherwise

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'turn', 'lease', 'ttl', 'seq', 'latest')
local ms = math.floor(now_us() / 1000)
if meta[1] ~= ARGV[2] or meta[2] ~= ARGV[1] or tonumber(meta[3]) > ms then return {'NO'} end

redis.call('XADD', KEYS[3], ARGV[2] .. '-' .. ARGV[3], 'after', meta[5], 'frames', ARGV[4])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[5], ARGV[1] .. '/end', 'reaped')
redis.call('HINCRBY', KEYS[1], 'turnbytes', #ARGV[5])
keep_newest(KEYS[6], ARGV[1], meta[6])
trim_ledger(KEYS, ARGV[1], ARGV[7], ARGV[8])
-- Without a running turn, whatever the lost producer still writes is refused.
redis.call('HDEL', KEYS[1], 'turn', 'lease', 'begun', 'seq', 'holder', 'cancel')
redis.call('HSET', KEYS[1], 'utime', digits(ms))
expire(tonumber(meta[4]), KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
expire(math.min(tonumber(meta[4]), tonumber(ARGV[6])), KEYS[3])
ring(KEYS[1])
return {'REAPED', digits(ms), meta[4]}
