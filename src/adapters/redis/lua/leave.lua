-- leave: end a turn that waits in line, for whatever reason.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] turn id  ARGV[2] turn record  ARGV[3] 1 = only if its process is gone
-- ARGV[4] turns to keep  ARGV[5] bytes of turns to keep
-- Returns {LEFT} | {NO}: it does not wait, or is there | {GONE}

local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {'GONE'} end
if not redis.call('ZSCORE', KEYS[8], ARGV[1]) then return {'NO'} end
if ARGV[3] == '1' and is_there(KEYS[4], ARGV[1], math.floor(now_us() / 1000)) then return {'NO'} end

leave_line(KEYS[4], KEYS[8], ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2], ARGV[1] .. '/end', version)
redis.call('HINCRBY', KEYS[1], 'turnbytes', #ARGV[2])
trim_ledger(KEYS, ARGV[1], ARGV[4], ARGV[5])
ring(KEYS[1])
return {'LEFT'}
