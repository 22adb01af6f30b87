/** Heartbeats over a simulated clock, with a controller that answers as it is told. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Logger } from '../../src/base/logger.ts'
import { startLifecycle } from '../../src/broker/lifecycle.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { MetadataLoader } from '../../src/metadata/loader.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'

const test = suite('broker lifecycle')

const REGISTRATION_KEY = 62

const started = async () => {
  const host = new SimulatedHost({ seed: 1 })
  const lines: string[] = []
  const told = (_: unknown, text?: string) => void lines.push(text ?? '')
  const silent = () => {}
  const controller = {
    errorCode: ErrorCode.NONE as number,
    heartbeats: 0,
    async handle(apiKey: number) {
      if (apiKey === REGISTRATION_KEY) return { errorCode: ErrorCode.NONE, brokerEpoch: 3 }
      this.heartbeats++
      return { errorCode: this.errorCode, isFenced: false, isCaughtUp: true, shouldShutDown: false }
    },
  }
  const loader = { whenApplied: async () => {}, image: () => ({ offset: 3 }) } as unknown as MetadataLoader
  const lifecycle = await startLifecycle({
    host,
    logger: { trace: silent, debug: silent, info: silent, warn: told, error: told, fatal: told } as unknown as Logger,
    controller,
    loader,
    nodeId: 1,
    clusterId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    listeners: [],
    rack: null,
    logDirs: [],
    previousBrokerEpoch: -1,
    heartbeatIntervalMs: 2000,
    offlineLogDirs: () => [],
  })
  return { host, lines, controller, lifecycle }
}

test('a heartbeat that is refused again and again is told of once, and again when it was granted in between', async () => {
  const { host, lines, controller, lifecycle } = await started()
  controller.errorCode = ErrorCode.NOT_CONTROLLER
  await host.advance(100_000)
  assert.ok(controller.heartbeats > 40)
  assert.equal(lines, ['a heartbeat was refused: NOT_CONTROLLER'])
  controller.errorCode = ErrorCode.STALE_BROKER_EPOCH
  await host.advance(10_000)
  controller.errorCode = ErrorCode.NONE
  await host.advance(10_000)
  assert.is(lines.length, 2)
  controller.errorCode = ErrorCode.STALE_BROKER_EPOCH
  await host.advance(10_000)
  assert.equal(lines.slice(1), Array(2).fill('a heartbeat was refused: STALE_BROKER_EPOCH'))
  lifecycle.close()
})

test.run()
