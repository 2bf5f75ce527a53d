-- Forget a thread, whatever state it is in: a turn that runs is fenced, and its mail counts as settled.
-- KEYS: due open inbox turns meta    ARGV: thread
local count = redis.call('LLEN', KEYS[3])
if redis.call('HGET', KEYS[5], 'active') == '1' then
  count = count + tonumber(redis.call('HGET', KEYS[5], 'count') or '0')
end
if count > 0 then redis.call('DECRBY', KEYS[2], count) end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[1], ARGV[1])
return count
