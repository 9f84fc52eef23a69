-- import: append messages that no turn has made, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] attempt  ARGV[2] version it was made from  ARGV[3] open calls  ARGV[4] messages allowed  ARGV[5] bytes allowed
-- ARGV[6] idempotency key, or empty  ARGV[7] its fingerprint  ARGV[8] its ttl ms  ARGV[9..] messages (opaque bytes)
-- Returns {OK} (also for a resend of the same attempt, or of its key) | {OTHER}: the key was used for something else
--   | {BUSY, turn id} | {MOVED, version} | {FULL, messages} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'version', 'changes', 'turn', 'ttl', 'count', 'bytes')
if not meta[1] then return {'GONE'} end
if is_made(meta[2], ARGV[1]) then return {'OK'} end
local ms = math.floor(now_us() / 1000)
local same = recall(KEYS[7], ARGV[6], ARGV[7], ms)
if same ~= nil then return {same and 'OK' or 'OTHER'} end
if meta[3] then return {'BUSY', meta[3]} end
if meta[1] ~= ARGV[2] then return {'MOVED', meta[1]} end
local bytes = 0
for i = 9, #ARGV do bytes = bytes + #ARGV[i] end
if meta[5] + #ARGV - 8 > tonumber(ARGV[4]) or meta[6] + bytes > tonumber(ARGV[5]) then return {'FULL', meta[5]} end

redis.call('HSET', KEYS[1], 'changes', made(meta[2], ARGV[1]), 'calls', ARGV[3], 'utime', digits(ms))
redis.call('HINCRBY', KEYS[1], 'count', #ARGV - 8)
redis.call('HINCRBY', KEYS[1], 'bytes', bytes)
redis.call('HINCRBY', KEYS[1], 'version', 1)
for i = 9, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
-- No turn owns the last messages now.
local latest = redis.call('HGET', KEYS[1], 'latest')
redis.call('HDEL', KEYS[1], 'latest')
if latest then redis.call('HDEL', KEYS[6], latest) end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[7], ARGV[6], ARGV[7] .. ' ' .. digits(ms + tonumber(ARGV[8])) .. ' /import')
  -- The keys of turns go with their turns in the ledger; of those of imports the newest stay.
  local keys = {ARGV[6]}
  for key in string.gmatch(redis.call('HGET', KEYS[7], '/imports') or '', '%S+') do
    if key ~= ARGV[6] and #keys < 1000 then
      keys[#keys + 1] = key
    -- A send may have used it since, after its time.
    elseif key ~= ARGV[6] and string.match(redis.call('HGET', KEYS[7], key) or '', ' /import$') then
      redis.call('HDEL', KEYS[7], key)
    end
  end
  redis.call('HSET', KEYS[7], '/imports', table.concat(keys, ' '))
end
slide(meta[4], KEYS)
return {'OK'}
