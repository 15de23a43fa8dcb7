-- Stands in for the balancer's library that Debian lacks: each node in turn.
local Turns = {}
Turns.__index = Turns

function Turns:new(nodes)
  local made = setmetatable({}, Turns)
  made:reinit(nodes)
  return made
end

function Turns:reinit(nodes)
  self.nodes, self.names, self.last = nodes, {}, 0
  for name in pairs(nodes) do
    table.insert(self.names, name)
  end
end

function Turns:find()
  self.last = self.last % #self.names + 1
  return self.names[self.last]
end

return Turns
