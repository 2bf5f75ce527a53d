-- Tell the running turn, if there is one, and change who has the thread. The flag is the truth, the message only wakes.
-- KEYS: meta    ARGV: thread order mode news retention_ms      (an empty order or mode leaves that part as it is)
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'mode', ARGV[3])
  if ARGV[3] == 'bot' then redis.call('HDEL', KEYS[1], 'order') end
  if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'active') == '1' then
  redis.call('HSET', KEYS[1], 'order', ARGV[2])
end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return 'told'
