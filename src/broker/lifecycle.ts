/**
 * This broker's registration with the controller and its heartbeats, as requests, so that it makes no difference
 * where the controller is.
 *
 *   registered (fenced) --unfence--> serving --controlledShutdown--> fenced
 *
 * Invariants: one request at a time is under way; a broker that was unfenced stays so until it asks for its shutdown;
 * after `close` nothing is sent.
 */
import { OdradekError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { randomUuid } from '../base/uuid.ts'
import type { Host, TimerId } from '../host/host.ts'
import type { LogDirectory } from '../log/log.ts'
import { SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataLoader } from '../metadata/loader.ts'
import type { Endpoint } from '../metadata/records.ts'
import type { BrokerRegistrationResponse } from '../protocol/apis/62-broker-registration.ts'
import type { BrokerHeartbeatResponse } from '../protocol/apis/63-broker-heartbeat.ts'
import { describeError, ErrorCode } from '../protocol/error-codes.ts'
import type { ControllerPort } from './context.ts'

const REGISTRATION = { key: 62, version: 4 }
const HEARTBEAT = { key: 63, version: 2 }
/** The second heartbeat of a shutdown follows soon, since on a small cluster it is the last one needed. */
const SOON_MS = 50

export interface LifecycleOptions {
  readonly host: Host
  readonly logger: Logger
  readonly controller: ControllerPort
  readonly loader: MetadataLoader
  readonly nodeId: number
  readonly clusterId: string
  /** What clients are told. */
  readonly listeners: readonly Endpoint[]
  readonly rack: string | null
  /** directory.id of every log directory. */
  readonly logDirs: readonly string[]
  /** See `previousBrokerEpoch`. */
  readonly previousBrokerEpoch: number
  readonly heartbeatIntervalMs: number
  /** directory.id of those that went offline since. */
  readonly offlineLogDirs: () => readonly string[]
}

/**
 * The broker epoch to present at registration: the stored one when what was acknowledged is surely still there, else
 * -1. Under flush=group that is always so; under flush=os only after a clean stop of every directory.
 */
export function previousBrokerEpoch(
  image: MetadataImage,
  nodeId: number,
  directories: readonly LogDirectory[],
  flush: 'group' | 'os',
): number {
  if (flush === 'group') return image.brokers.get(nodeId)?.epoch ?? -1
  const [epoch = -1, ...others] = directories.map(directory => directory.cleanBrokerEpoch)
  return others.every(other => other === epoch) ? epoch : -1
}

/** The controller refused this broker. */
class RegistrationError extends OdradekError {
  constructor(message: string) {
    super('ERR_REGISTRATION', message)
  }
}

/**
 * Registers, fenced; resolves when the image shows it.
 * @throws RegistrationError
 */
export async function startLifecycle(options: LifecycleOptions): Promise<BrokerLifecycle> {
  const { controller, loader, nodeId } = options
  const request = {
    brokerId: nodeId,
    clusterId: options.clusterId,
    // One for each start: it tells this process from the one before it.
    incarnationId: randomUuid(options.host.random),
    listeners: options.listeners,
    features: SUPPORTED_FEATURES,
    rack: options.rack,
    isMigratingZkBroker: false,
    logDirs: [...options.logDirs].sort(),
    previousBrokerEpoch: options.previousBrokerEpoch,
  }
  const context = { clientId: null }
  const answer = await controller.handle(REGISTRATION.key, REGISTRATION.version, request, context)
  const { errorCode, brokerEpoch } = answer as BrokerRegistrationResponse
  if (errorCode !== ErrorCode.NONE) {
    const { name, text } = describeError(errorCode)
    throw new RegistrationError(`the controller refused to register broker ${nodeId}: ${name} (${text})`)
  }
  await loader.whenApplied(brokerEpoch)
  const lifecycle = new BrokerLifecycle(options, brokerEpoch)
  await lifecycle.heartbeat()
  return lifecycle
}

export class BrokerLifecycle {
  readonly brokerEpoch: number
  readonly #options: LifecycleOptions
  #wantFence = true
  #wantShutDown = false
  #caughtUp = false
  /** Of the last heartbeat: a refusal is told of once, until one is granted or it is another. */
  #answered: number = ErrorCode.NONE
  #closed = false
  #timer: TimerId = 0
  #underWay: Promise<BrokerHeartbeatResponse> | undefined

  constructor(options: LifecycleOptions, brokerEpoch: number) {
    this.#options = options
    this.brokerEpoch = brokerEpoch
  }

  /**
   * Asks to be unfenced; resolves when this broker serves, and the image shows it. Call it once
   * requests can be answered.
   * @throws RegistrationError when the controller refuses
   */
  async unfence(): Promise<void> {
    this.#wantFence = false
    const serves = await this.#until(answer => !answer.isFenced, this.#options.heartbeatIntervalMs)
    if (!serves) throw new RegistrationError(`the controller did not let broker ${this.#options.nodeId} serve`)
  }

  /** Asks to shut down and waits until nobody counts on this broker any more, but no longer than `timeoutMs`. */
  async controlledShutdown(timeoutMs: number): Promise<void> {
    this.#wantShutDown = true
    const done = await this.#until(answer => answer.shouldShutDown, SOON_MS, timeoutMs)
    if (!done) this.#options.logger.warn(`the controller did not grant the shutdown (within ${timeoutMs} ms)`)
    this.close()
  }

  /** Sends nothing any more. */
  close(): void {
    this.#closed = true
    this.#options.host.timers.cancel(this.#timer)
  }

  /** One heartbeat now; the next follows after the interval. */
  async heartbeat(): Promise<BrokerHeartbeatResponse> {
    while (this.#underWay !== undefined) await this.#underWay
    const { host, controller, loader, nodeId, logger, heartbeatIntervalMs, offlineLogDirs } = this.#options
    host.timers.cancel(this.#timer)
    const request = {
      brokerId: nodeId,
      brokerEpoch: this.brokerEpoch,
      currentMetadataOffset: loader.image().offset,
      wantFence: this.#wantFence,
      wantShutDown: this.#wantShutDown,
      offlineLogDirs: offlineLogDirs(),
      // What is cordoned is known only once the broker's own configs are.
      cordonedLogDirs: this.#caughtUp ? [] : null,
    }
    this.#underWay = controller
      .handle(HEARTBEAT.key, HEARTBEAT.version, request, { clientId: null })
      .then(answer => ({ isFenced: true, isCaughtUp: false, ...answer }) as BrokerHeartbeatResponse)
    const answer = await this.#underWay
    this.#underWay = undefined
    if (answer.isCaughtUp) this.#caughtUp = true
    const told = this.#answered === answer.errorCode
    this.#answered = answer.errorCode
    if (answer.errorCode !== ErrorCode.NONE && !told) {
      logger.warn({ errorCode: answer.errorCode }, `a heartbeat was refused: ${describeError(answer.errorCode).name}`)
    }
    if (!this.#closed) {
      const at = host.clock.monotonicMs() + heartbeatIntervalMs
      this.#timer = host.timers.at(at, () => void this.heartbeat())
    }
    return answer
  }

  /** Heartbeats until `done`, `pauseMs` apart; false when one is refused, or `timeoutMs` is over. */
  async #until(
    done: (answer: BrokerHeartbeatResponse) => boolean,
    pauseMs: number,
    timeoutMs = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const { host } = this.#options
    const deadline = host.clock.monotonicMs() + timeoutMs
    while (!this.#closed) {
      const answer = await this.heartbeat()
      if (answer.errorCode !== ErrorCode.NONE) return false
      if (done(answer)) return true
      if (host.clock.monotonicMs() + pauseMs > deadline) return false
      await new Promise<void>(resolve => host.timers.at(host.clock.monotonicMs() + pauseMs, resolve))
    }
    return false
  }
}
