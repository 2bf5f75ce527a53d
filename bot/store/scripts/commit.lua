-- Append the last rows of a turn and keep the reply to deliver, once: from here on nobody can produce another reply.
-- KEYS: due turns meta dead account
-- ARGV: thread token expected_step lease_ms window out dead_letter account retention_ms row…    (an empty account: none)
local meta = KEYS[3]
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
if redis.call('HEXISTS', meta, 'out') == 0 then
  if redis.call('HGET', meta, 'step') ~= ARGV[3] then return 'fenced' end
  for i = 10, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
  redis.call('HSET', meta, 'step', tonumber(ARGV[3]) + 1, 'window', ARGV[5], 'out', ARGV[6])
  if ARGV[7] ~= '' then redis.call('RPUSH', KEYS[4], ARGV[7]) end
  if ARGV[8] ~= '' then redis.call('SET', KEYS[5], ARGV[8], 'PX', ARGV[9]) end
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[4]), ARGV[1])
return 'order:' .. (redis.call('HGET', meta, 'order') or '')
