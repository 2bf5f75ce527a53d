-- Forget a thread, whatever state it is in: a turn that runs is fenced, and its mail counts as settled.
-- KEYS: due open inbox turns meta    ARGV: thread mark_ms
-- Where a turn runs, a mark that names nobody tells its worker for a while that the thread was not lost by accident.
local count, runs = redis.call('LLEN', KEYS[3]), redis.call('HGET', KEYS[5], 'active') == '1'
if runs then
  count = count + tonumber(redis.call('HGET', KEYS[5], 'count') or '0')
end
if count > 0 then redis.call('DECRBY', KEYS[2], count) end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[1], ARGV[1])
if runs then
  redis.call('HSET', KEYS[5], 'forgotten', '1')
  redis.call('PEXPIRE', KEYS[5], ARGV[2])
end
return count
