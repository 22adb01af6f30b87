/** Nobody is evicted because the broker did not listen. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { GroupMember, startMembers } from '../support/group-member.ts'
import { siblingUrl, startSibling } from '../support/own-runtime.ts'
import type { Running } from '../support/process.ts'

const test = suite('a broker that was held up')
export const timeoutMs = 180_000

const SESSION_MS = 10_000
const HELD_UP_MS = 15_000
const AFTERWARDS_MS = 4_000
const program = siblingUrl('programs/held-up', import.meta.url)

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Three members in this process, and what is held up is the broker's. */
async function membersWhile(holdUp: (running: Running) => Promise<void>): Promise<void> {
  const running = startSibling(program, ['broker'], { keepInput: true, timeoutMs: 120_000 })
  let members: GroupMember[] = []
  try {
    const [, port] = await running.sees(/listening on (\d+)/, 30_000)
    members = await startMembers(3, {
      port: Number(port),
      groupId: 'group',
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 1_000,
    })
    const before = members.map(member => [member.generationId, [] as number[]])
    const beats = members.map(member => member.beats)
    await holdUp(running)
    await pause(AFTERWARDS_MS)
    assert.equal(
      members.map(member => [member.generationId, member.evictions]),
      before,
    )
    members.forEach((member, index) => void assert.ok(member.beats > (beats[index] as number)))
  } finally {
    await running.kill('SIGKILL')
    for (const member of members) await member.stop().catch(() => {})
  }
}

test('three members with a session of 10 s survive a thread that is blocked for 15 s, and a process that is stopped', async () => {
  const blocked = membersWhile(async running => {
    running.child.stdin?.write(`${HELD_UP_MS}\n`)
    await running.sees(/goes on/, 60_000)
  })
  const stopped = membersWhile(async running => {
    process.kill(running.pid, 'SIGSTOP')
    await pause(HELD_UP_MS)
    process.kill(running.pid, 'SIGCONT')
  })
  const together = startSibling(program, ['together', '3', String(HELD_UP_MS)], { timeoutMs: 120_000 })
  const ends = await Promise.allSettled([blocked, stopped, together.finished])
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  const found = /members (.*)/.exec(together.stdout())?.[1]
  const { before, after, evictions } = JSON.parse(found ?? '{}')
  assert.equal([evictions, after], [[], before])
})

test('a member that stays silent is evicted', async () => {
  const running = startSibling(program, ['broker'], { keepInput: true, timeoutMs: 120_000 })
  try {
    const [, port] = await running.sees(/listening on (\d+)/, 30_000)
    const options = { port: Number(port), groupId: 'group', sessionTimeoutMs: 6_000, heartbeatIntervalMs: 8_000 }
    const silent = await GroupMember.start(options)
    while (silent.evictions.length === 0) await pause(100)
    assert.equal(silent.evictions, [ErrorCode.UNKNOWN_MEMBER_ID])
    await silent.stop()
  } finally {
    await running.kill('SIGKILL')
  }
})

test.run()
