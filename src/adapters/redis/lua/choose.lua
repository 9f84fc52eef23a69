-- choose: put another answer of the turn that owns the last two messages in the place of the last one, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] attempt  ARGV[2] version it was made from  ARGV[3] turn id  ARGV[4] the new message  ARGV[5] open calls
-- ARGV[6] turn record  ARGV[7] record with all candidates
-- Returns {OK} (also for a resend of the same attempt) | {BUSY, turn id} | {MOVED, version} | {OLD} | {GONE}

local id = ARGV[3]
local meta = redis.call('HMGET', KEYS[1], 'version', 'changes', 'turn', 'ttl', 'latest')
if not meta[1] then return {'GONE'} end
if is_made(meta[2], ARGV[1]) then return {'OK'} end
if meta[3] then return {'BUSY', meta[3]} end
if meta[1] ~= ARGV[2] then return {'MOVED', meta[1]} end
if meta[5] ~= id or redis.call('HEXISTS', KEYS[4], id) == 0 then return {'OLD'} end

redis.call('HSET', KEYS[1], 'changes', made(meta[2], ARGV[1]), 'calls', ARGV[5],
  'utime', digits(math.floor(now_us() / 1000)))
redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[4] - #redis.call('LINDEX', KEYS[2], -1))
redis.call('LSET', KEYS[2], -1, ARGV[4])
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HINCRBY', KEYS[1], 'turnbytes', #ARGV[6] - redis.call('HSTRLEN', KEYS[4], id))
redis.call('HSET', KEYS[4], id, ARGV[6])
redis.call('HSET', KEYS[6], id, ARGV[7])
slide(meta[4], KEYS)
return {'OK'}
