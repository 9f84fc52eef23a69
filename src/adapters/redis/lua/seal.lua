-- seal: put before every script that takes contents by scripts.ts. They come with the id of the seal that they are made for, or
-- empty, as the last of ARGV; a session that has another one (it was deleted and made again meanwhile) does not take them.
-- KEYS[1] meta

local sealed_for = table.remove(ARGV)
local sealed_by = redis.call('HMGET', KEYS[1], 'version', 'seal')
if sealed_by[1] and (sealed_by[2] or '') ~= sealed_for then return {'SEAL'} end
