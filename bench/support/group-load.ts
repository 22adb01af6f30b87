/**
 * Members of consumer groups, driven by `bench/load`: one thread that speaks the members' protocol on many connections.
 */
import type { RunningBroker } from './peers.ts'
import { loadProgram } from './raw.ts'
import { run } from './tools.ts'

export type GroupProgram = 'classic' | 'consumer' | 'commits' | 'idle' | 'offsets'

/** Runs one of the group programs to its end; its options are those of bench/load/src/groups. Returns its figures. */
export async function groupLoad(
  program: GroupProgram,
  broker: RunningBroker,
  options: Record<string, string | number>,
): Promise<Record<string, number>> {
  const all = { address: broker.bootstrap, pid: broker.pid, ...options }
  const words = Object.entries(all).flatMap(([name, value]) => [`--${name}`, `${value}`])
  return JSON.parse(await run(loadProgram(), [program, ...words])) as Record<string, number>
}
