-- SPDX-License-Identifier: Apache-2.0
-- Copyright The Skep Authors
--
-- The health of an ObservabilityPolicy or a ClusterObservabilityPolicy for Argo CD, from the
-- conditions that docs/api.md describes. Argo CD gives the object as "obj" and runs Lua 5.1 without
-- libraries; deploy/gitops/argocd/argocd-cm puts this file in its place.

local function find(status, kind)
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == kind then
      return condition
    end
  end
  return {}
end

local function health(status, message)
  return {status = status, message = message or ""}
end

local status = obj.status or {}
local ready = find(status, "Ready")

-- What the status says is of a former spec, or there is none yet.
if ready.status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "waiting for the operator")
end

-- Its owner has put it to rest, or has said when it is to end: nothing is wrong.
if ready.reason == "Suspended" or ready.reason == "Expired" then
  return health("Suspended", ready.message)
end

-- A person must act, or a probe failed (it is tried again, but that is no progress yet).
for _, kind in ipairs({"Stalled", "Degraded"}) do
  local condition = find(status, kind)
  if condition.status == "True" then
    return health("Degraded", condition.message)
  end
end

if ready.status == "True" then
  return health("Healthy", ready.message)
end
return health("Progressing", ready.message)
