-- recall: what an idempotency key stands for.
-- KEYS[1] meta  KEYS[2] idem
-- ARGV[1] idempotency key  ARGV[2] fingerprint
-- Returns {SAME, turn id} | {OTHER} | {NEW} | {GONE}

if redis.call('EXISTS', KEYS[1]) == 0 then return {'GONE'} end
local same, id = recall(KEYS[2], ARGV[1], ARGV[2], math.floor(now_us() / 1000))
if same == nil then return {'NEW'} end
return same and {'SAME', id} or {'OTHER'}
