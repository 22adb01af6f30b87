/** All bugs there are to plant. */
import type { PlantedBug } from './bug.ts'
import { inClassicGroups } from './classic-groups.ts'
import { inConsumerGroups } from './consumer-groups.ts'
import { inOffsets } from './offsets.ts'
import { inRuntime } from './runtime.ts'
import { inWorld } from './world.ts'

export const bugs: readonly PlantedBug[] = [
  ...inRuntime,
  ...inClassicGroups,
  ...inConsumerGroups,
  ...inOffsets,
  ...inWorld,
]
