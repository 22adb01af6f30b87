/**
 * Calls that fail on one of two log directories, at the n-th call of each kind: nothing is acknowledged there after a
 * sync that failed, and no such sync is tried again; the program around the broker lives, the other directory serves,
 * and what was acknowledged is there afterwards. `npm run crash -- faults --count 200` tries every n up to 200.
 */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { eventually } from '../clients/target.ts'
import { faultRounds } from '../support/crash/fault-rounds.ts'
import { type Fault, Preload } from '../support/crash/preload.ts'
import { startServer } from '../support/crash/server.ts'
import { Workload } from '../support/crash/workload.ts'
import { findGroup, joinAlone } from '../support/groups.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 300_000

const test = suite('faults')

test.before(() => requires('linux', 'cc'))

const fault = (kind: Fault['kind'], error: Fault['error'], nth: number): Fault => ({ kind, error, nth })

test('a directory whose sync fails is offline, and the others and the program go on', async () => {
  const faults = [fault('sync', 'EIO', 1), fault('sync', 'ENOSPC', 4), fault('sync', 'EIO', 30)]
  assert.is((await faultRounds({ faults })).struck, faults.length)
})

test('the program goes on when the broker in it can not, because a sync of the metadata directory fails', async () => {
  const faults = [fault('sync', 'EIO', 1), fault('sync', 'ENOSPC', 9)]
  assert.is((await faultRounds({ faults, metadata: true })).struck, faults.length)
})

test('nothing acknowledged is lost when a write fails or falls short', async () => {
  const faults = [
    fault('write', 'short', 3),
    fault('write', 'ENOSPC', 2),
    fault('write', 'EIO', 5),
    fault('write', 'short', 40),
    fault('write', 'ENOSPC', 25),
  ]
  assert.is((await faultRounds({ faults })).struck, faults.length)
})

test('nothing acknowledged is lost when a file can not be made, renamed, cut or removed', async () => {
  const faults = [
    fault('create', 'ENOSPC', 2),
    fault('create', 'EIO', 3),
    fault('rename', 'EIO', 1),
    fault('truncate', 'EIO', 1),
    fault('unlink', 'EIO', 1),
  ]
  assert.ok((await faultRounds({ faults })).struck > 0)
})

test('what is acknowledged on a slow disk comes late and is right, and nobody leaves a group', async () => {
  const folder = temporaryFolder('slow')
  const preload = await Preload.for(folder)
  const { running, listening } = startServer({ dirs: [join(folder, 'data')], flush: 'group', env: preload.env })
  const port = await listening
  const workload = new Workload()
  await workload.prepare(port)
  const client = await WireClient.connect(port)
  await findGroup(client, 'patient')
  const member = await joinAlone(client, 'patient')
  preload.delay(150)
  let goes = true
  const load = workload.run(
    port,
    () => false,
    () => goes,
  )
  const goal = workload.acknowledged + 60
  await Promise.race([
    eventually(
      () => workload.acknowledged,
      count => count >= goal,
      60_000,
    ),
    load,
  ])
  assert.is((await client.send(heartbeat, 3, { groupId: 'patient', ...member })).errorCode, 0)
  goes = false
  await load
  preload.disarm()
  await workload.check(port)
  await client.close()
  assert.is((await running.kill('SIGTERM')).code, 0)
})

test.run()
