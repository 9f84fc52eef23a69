-- create: a new session with its first messages, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] attempt, or what it was asked for under a key  ARGV[2] config  ARGV[3] ttl ms  ARGV[4] open calls
-- ARGV[5] id of its seal, or empty  ARGV[6] its wrapped key  ARGV[7..] messages (opaque bytes)
-- Returns {MADE, create time ms, epoch} | {OK}: the same attempt has made it before | {EXISTS}

local created = redis.call('HMGET', KEYS[1], 'made', 'version')
if created[2] then
  if created[1] == ARGV[1] then return {'OK'} end
  return {'EXISTS'}
end

local bytes = 0
for i = 7, #ARGV do bytes = bytes + #ARGV[i] end

-- The epoch starts from the time: a deleted and re-created session never uses one again.
local us = now_us()
local ms = digits(math.floor(us / 1000))
redis.call('HSET', KEYS[1], 'made', ARGV[1], 'config', ARGV[2], 'ttl', ARGV[3], 'calls', ARGV[4],
  'ctime', ms, 'utime', ms, 'version', 1, 'count', #ARGV - 6, 'bytes', bytes, 'rev', 0,
  'born', digits(us), 'epoch', digits(us))
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'seal', ARGV[5], 'sealkey', ARGV[6]) end
-- Only now, since a full Redis refuses a script's first write alone and never an UNLINK: keys of an expired namesake
-- may outlive it by a moment.
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
for i = 7, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
expire(tonumber(ARGV[3]), KEYS[1], KEYS[2])
return {'MADE', ms, digits(us)}
