/**
 * Requests that a broker hands to the controller, and what it waits for before it passes the answer on.
 *
 * Invariants: the controller's answer is passed on as it is; waiting for partitions never outlasts the request's own
 * timeout, and never turns a success into a failure: the change is made.
 */
import type { RequestContext } from './context.ts'

/** Host clock: when a request with this timeout has waited long enough. */
function deadlineMs(context: RequestContext, timeoutMs: number): number {
  return context.broker.host.clock.monotonicMs() + Math.max(0, timeoutMs)
}

/** The controller's answer to `request`. */
export function forwardToController(context: RequestContext, request: object, timeoutMs: number): Promise<object> {
  return context.broker.controller.handle(context.apiKey, context.version, request, {
    deadlineMs: deadlineMs(context, timeoutMs),
    clientId: context.clientId,
  })
}

/** Resolves when this broker's partitions of all `topics` take produce requests, or at `timeoutMs`. */
export function whenWritable(context: RequestContext, topics: readonly string[], timeoutMs: number): Promise<void> {
  if (topics.length === 0) return Promise.resolve()
  const { host, replicas } = context.broker
  return new Promise(resolve => {
    const timer = host.timers.at(deadlineMs(context, timeoutMs), resolve)
    Promise.all(topics.map(topic => replicas.whenReady(topic))).then(() => {
      host.timers.cancel(timer)
      resolve()
    }, resolve)
  })
}
