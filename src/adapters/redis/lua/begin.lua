-- begin: claim a session for a turn, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem
-- ARGV[1] turn id  ARGV[2] attempt  ARGV[3] turn record  ARGV[4] question  ARGV[5] calls that it answers
-- ARGV[6] version it wants, or empty  ARGV[7] lease ms  ARGV[8] messages allowed  ARGV[9] bytes allowed
-- ARGV[10] replica that produces the turn  ARGV[11] idempotency key, or empty  ARGV[12] its fingerprint  ARGV[13] its ttl ms
-- Returns {OK, epoch, version, activity ms, ttl ms, messages} (also for a resend of the same attempt)
--   | {SAME, turn id} | {OTHER}: the key has been used, for the same or for something else
--   | {BUSY, turn id, epoch, 1 = alive or 0} | {EXISTS} | {MOVED, version} | {FULL, messages} | {CALLS, open calls} | {GONE}

local meta = redis.call('HMGET', KEYS[1],
  'version', 'turn', 'lease', 'epoch', 'begun', 'calls', 'count', 'bytes', 'ttl')
local version, turn, lease, epoch = meta[1], meta[2], meta[3], meta[4]
if not version then return {'GONE'} end

local ms = math.floor(now_us() / 1000)
if turn and meta[5] == ARGV[2] then return {'OK', epoch, version, digits(ms), meta[9], meta[7]} end
local same, id = recall(KEYS[7], ARGV[11], ARGV[12], ms)
if same ~= nil then return same and {'SAME', id} or {'OTHER'} end
if turn then
  return {'BUSY', turn, epoch, tonumber(lease) > ms and 1 or 0}
end
if redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then return {'EXISTS'} end
if ARGV[6] ~= '' and ARGV[6] ~= version then return {'MOVED', version} end
if meta[6] ~= ARGV[5] then return {'CALLS', meta[6]} end
if meta[7] + 2 > tonumber(ARGV[8]) or meta[8] + #ARGV[4] > tonumber(ARGV[9]) then return {'FULL', meta[7]} end

local mine = digits(tonumber(epoch) + 1)
redis.call('HSET', KEYS[1], 'epoch', mine, 'turn', ARGV[1], 'begun', ARGV[2], 'seq', 0, 'holder', ARGV[10],
  'lease', digits(ms + tonumber(ARGV[7])), 'utime', digits(ms))
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[5], mine, ARGV[1])
redis.call('HSET', KEYS[6], '/question', ARGV[4])
if ARGV[11] ~= '' then
  redis.call('HSET', KEYS[7], ARGV[11], ARGV[12] .. ' ' .. digits(ms + tonumber(ARGV[13])) .. ' ' .. ARGV[1])
  redis.call('HSET', KEYS[4], ARGV[1] .. '/idem', ARGV[11])
end
-- The log holds the running turn and the one before it.
redis.call('XTRIM', KEYS[3], 'MINID', '=', epoch .. '-0')
expire(math.max(tonumber(meta[9]), 2 * ARGV[7]), KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
ring(KEYS[1])
return {'OK', mine, version, digits(ms), meta[9], meta[7]}
