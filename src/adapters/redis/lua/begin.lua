-- begin: claim a session for a turn, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] turn id  ARGV[2] attempt  ARGV[3] turn record  ARGV[4] question  ARGV[5] calls that it answers
-- ARGV[6] version it wants, or empty  ARGV[7] lease ms  ARGV[8] messages allowed  ARGV[9] bytes allowed
-- ARGV[10] replica that produces the turn  ARGV[11] idempotency key, or empty  ARGV[12] its fingerprint  ARGV[13] its ttl ms
-- ARGV[14] reject, enqueue, interrupt, or waiting: it has a place in line  ARGV[15] places in line  ARGV[16] record while it waits
-- ARGV[17] turn whose question it asks again, or empty  ARGV[18] 1 = that one has committed, and is to be replaced
-- ARGV[19] tokens that may be spent before it, or empty  ARGV[20] epoch and version of the session as the caller has seen it, or empty
-- Returns {OK, epoch, version, activity ms, ttl ms, messages, digest of the last} (also for a resend of the same attempt)
--   | {SAME, turn id} | {OTHER}: the key has been used, for the same or for something else
--   | {BUSY, turn id, epoch or 0 if it only waits, 1 = alive or 0} | {WAIT, place, and as BUSY} | {CROWD} | {LEFT}
--   | {EXISTS} | {MOVED, version} | {SPENT, tokens} | {FULL, messages} | {CALLS, open calls}
--   | {STALE}: the session is not as it was seen
--   | {OLD}: that question cannot be asked again (any more) | {GONE}

local meta = redis.call('HMGET', KEYS[1],
  'version', 'turn', 'lease', 'epoch', 'begun', 'calls', 'count', 'bytes', 'ttl', 'latest', 'tokens:total')
local version, turn, lease, epoch = meta[1], meta[2], meta[3], meta[4]
if not version then return {'GONE'} end
local replaces = ARGV[18] == '1'
-- Of the history, as the turn has to see it.
local count = tonumber(meta[7]) - (replaces and 2 or 0)

local ms = math.floor(now_us() / 1000)
local named = {key = ARGV[11], fingerprint = ARGV[12], expires = ms + tonumber(ARGV[13])}
if turn and meta[5] == ARGV[2] then return {'OK', epoch, version, digits(ms), meta[9], count, last_seen(KEYS[2], count)} end
local same, id = recall(KEYS[7], ARGV[11], ARGV[12], ms)
if same ~= nil and ARGV[14] ~= 'waiting' then return same and {'SAME', id} or {'OTHER'} end
if ARGV[20] ~= '' and ARGV[20] ~= epoch .. ' ' .. version then return {'STALE'} end
local waits = has_place(KEYS[4], KEYS[8], ARGV[1], ARGV[2])
if ARGV[14] == 'waiting' and not waits then return {'LEFT'} end
local head = redis.call('ZRANGE', KEYS[8], 0, 0)[1]
if not waits and redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then return {'EXISTS'} end
if turn or (head and head ~= ARGV[1]) then
  local holder = holder_of(KEYS[4], {turn = turn, epoch = epoch, lease = lease}, head, ms)
  if ARGV[14] == 'reject' then return {'BUSY', unpack(holder)} end
  local given = {max = tonumber(ARGV[15]), front = ARGV[14] == 'interrupt', record = ARGV[16], attempt = ARGV[2], lease = ms + tonumber(ARGV[7])}
  local place = take_place(KEYS[4], KEYS[8], KEYS[5], ARGV[1], epoch, given)
  if not place then return {'CROWD'} end
  claim_key(KEYS[7], KEYS[4], ARGV[1], named)
  expire(math.max(tonumber(meta[9]), 2 * ARGV[7]), KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
  return {'WAIT', place, unpack(holder)}
end
if ARGV[6] ~= '' and ARGV[6] ~= version then return {'MOVED', version} end
if ARGV[19] ~= '' and tonumber(meta[11] or 0) >= tonumber(ARGV[19]) then return {'SPENT', meta[11]} end
if replaces and meta[10] ~= ARGV[17] then return {'OLD'} end
if ARGV[17] ~= '' and not replaces and redis.call('HEXISTS', KEYS[6], ARGV[17] .. '/question') == 0 then return {'OLD'} end
if not replaces and meta[6] ~= ARGV[5] then return {'CALLS', meta[6]} end
local bytes = meta[8] + #ARGV[4]
for _, replaced in ipairs(replaces and redis.call('LRANGE', KEYS[2], -2, -1) or {}) do bytes = bytes - #replaced end
if count + 2 > tonumber(ARGV[8]) or bytes > tonumber(ARGV[9]) then return {'FULL', meta[7]} end

-- Never below the time: a failover may have lost the epoch that was given last, but not that it was earlier.
local mine = digits(math.max(tonumber(epoch) + 1, now_us()))
redis.call('HSET', KEYS[1], 'epoch', mine, 'turn', ARGV[1], 'begun', ARGV[2], 'seq', 0, 'holder', ARGV[10],
  'lease', digits(ms + tonumber(ARGV[7])), 'utime', digits(ms))
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
enter_ledger(KEYS[4], KEYS[5], ARGV[1], mine)
redis.call('HSET', KEYS[6], ARGV[1] .. '/question', ARGV[4])
leave_line(KEYS[4], KEYS[8], ARGV[1])
claim_key(KEYS[7], KEYS[4], ARGV[1], named)
-- The log holds the running turn and the one before it.
redis.call('XTRIM', KEYS[3], 'MINID', '=', epoch .. '-0')
expire(math.max(tonumber(meta[9]), 2 * ARGV[7]), KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
ring(KEYS[1])
return {'OK', mine, version, digits(ms), meta[9], count, last_seen(KEYS[2], count)}
