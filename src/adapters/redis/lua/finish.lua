-- finish: end one turn of a session, atomically.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] turn id  ARGV[2] epoch  ARGV[3] seq it follows  ARGV[4] seq of the last event  ARGV[5] last frames
-- ARGV[6] log ttl ms  ARGV[7] version after it  ARGV[8] turn record  ARGV[9] record with all candidates, or empty
-- ARGV[10] open calls  ARGV[11] turns to keep  ARGV[12] bytes of turns to keep
-- ARGV[13..17] tokens: prompt, output, thought, cached, total  ARGV[18] state in which it ended, or empty: no tokens were reported
-- ARGV[19] turn whose messages it takes the place of if it commits, or empty  ARGV[20], ARGV[21] question and answer, if it commits
-- Returns {OK, version, activity ms, ttl ms} (a resend: {OK, version}) | {GAP, last seq} | {MOVED, version after it} | {FENCED} | {GONE}

local id, epoch, commits = ARGV[1], ARGV[2], ARGV[20] ~= nil
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'turn', 'seq', 'born', 'version', 'ttl', 'latest')
if not meta[1] or tonumber(epoch) <= tonumber(meta[4]) then return {'GONE'} end
local ended = redis.call('HGET', KEYS[4], id .. '/end')
if ended and ended ~= 'reaped' then return {'OK', ended} end
if meta[1] ~= epoch or meta[2] ~= id then return {'FENCED'} end
local version = digits(meta[5] + (commits and 1 or 0))
if version ~= ARGV[7] then return {'MOVED', version} end
if meta[3] ~= ARGV[3] then return {'GAP', meta[3]} end

if ARGV[18] ~= '' then add_usage(KEYS[1], ARGV[18], {unpack(ARGV, 13, 17)}) end
redis.call('XADD', KEYS[3], epoch .. '-' .. ARGV[4], 'after', ARGV[3], 'frames', ARGV[5])
if commits then
  local added, bytes = 2, #ARGV[20] + #ARGV[21]
  if ARGV[19] ~= '' then
    -- Still the last two: nobody else changes the history of a session while a turn runs.
    for _, message in ipairs(redis.call('RPOP', KEYS[2], 2)) do added, bytes = added - 1, bytes - #message end
    if redis.call('HEXISTS', KEYS[4], ARGV[19]) == 1 then redis.call('HSET', KEYS[4], ARGV[19] .. '/superseded', 1) end
  end
  redis.call('RPUSH', KEYS[2], ARGV[20], ARGV[21])
  redis.call('HINCRBY', KEYS[1], 'count', added)
  redis.call('HINCRBY', KEYS[1], 'bytes', bytes)
  redis.call('HSET', KEYS[1], 'version', version, 'calls', ARGV[10], 'latest', id)
  redis.call('UNLINK', KEYS[6])
else
  keep_newest(KEYS[6], id, meta[7])
end
if ARGV[9] ~= '' then redis.call('HSET', KEYS[6], id, ARGV[9]) end

redis.call('HSET', KEYS[4], id, ARGV[8], id .. '/end', version)
redis.call('HINCRBY', KEYS[1], 'turnbytes', #ARGV[8])
trim_ledger(KEYS, id, ARGV[11], ARGV[12])

redis.call('HDEL', KEYS[1], 'turn', 'lease', 'begun', 'seq', 'holder', 'cancel')
local ms = digits(math.floor(now_us() / 1000))
redis.call('HSET', KEYS[1], 'utime', ms)
expire(tonumber(meta[6]), KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
expire(math.min(tonumber(meta[6]), tonumber(ARGV[6])), KEYS[3])
ring(KEYS[1])
return {'OK', version, ms, meta[6]}
