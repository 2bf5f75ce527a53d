-- Append the last rows of a turn and keep the reply to deliver, once: from here on nobody can produce another reply.
-- KEYS: due turns meta dead    ARGV: thread token expected_step lease_ms window out dead_letter account row…
-- An account (an empty one: none) takes the place of the last, in pieces short enough for the hash to keep its small form.
local meta = KEYS[3]
if redis.call('HGET', meta, 'token') ~= ARGV[2] then return 'fenced' end
if redis.call('HEXISTS', meta, 'out') == 0 then
  if redis.call('HGET', meta, 'step') ~= ARGV[3] then return 'fenced' end
  for i = 9, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
  redis.call('HSET', meta, 'step', tonumber(ARGV[3]) + 1, 'window', ARGV[5], 'out', ARGV[6])
  if ARGV[7] ~= '' then redis.call('RPUSH', KEYS[4], ARGV[7]) end
  if ARGV[8] ~= '' then
    local pieces = math.ceil(#ARGV[8] / 64)
    for i = 1, pieces do redis.call('HSET', meta, 'account:' .. i, string.sub(ARGV[8], 64 * i - 63, 64 * i)) end
    while redis.call('HDEL', meta, 'account:' .. pieces + 1) == 1 do pieces = pieces + 1 end
  end
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[4]), ARGV[1])
return 'order:' .. (redis.call('HGET', meta, 'order') or '')
