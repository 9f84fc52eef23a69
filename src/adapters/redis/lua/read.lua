-- read: fields of a session, and the time by which its lease counts. Read-only: called where a script may not write.
-- KEYS[1] meta
-- ARGV[1..] names of fields
-- Returns {time ms, values, in the order of their names; nothing for those that are not there}

return {digits(math.floor(now_us() / 1000)), unpack(redis.call('HMGET', KEYS[1], unpack(ARGV)))}
