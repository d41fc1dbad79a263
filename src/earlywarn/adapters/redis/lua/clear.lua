-- Removes keys of a run that is being removed, if the caller is still the one who removes it.
--
-- KEYS: 1 positions, then the keys to remove; none: the removal is over, and the positions go, too.
-- ARGV: 1 who removes.
-- Returns the number of keys removed, -1 if somebody else has taken over or is done.

if redis.call('HGET', KEYS[1], 'clearing') ~= ARGV[1] then
  return -1
end
if #KEYS == 1 then
  return redis.call('UNLINK', KEYS[1])
end
return redis.call('UNLINK', unpack(KEYS, 2))
