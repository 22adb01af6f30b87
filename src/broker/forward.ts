/**
 * Requests that a broker hands to the controller, and what it waits for before it passes the answer on.
 *
 * Invariants: the controller's answer is passed on as it is; waiting for partitions never outlasts the request's own
 * timeout, and never turns a success into a failure: the change is made.
 */
import { ErrorCode } from '../protocol/error-codes.ts'
import type { Handler, RequestContext } from './context.ts'

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

/** How a request is handled that the controller alone answers. */
export const forwarded: Handler<{ readonly timeoutMs: number }>['handle'] = (context, request) =>
  forwardToController(context, request, request.timeoutMs)

/**
 * The same for a request that makes partitions: the answer leaves when those can be written that `made` finds in it.
 */
export async function forwardUntilWritable<Response extends object>(
  context: RequestContext,
  request: { readonly timeoutMs: number; readonly validateOnly: boolean },
  made: (answer: Response) => readonly { readonly name: string; readonly errorCode: number }[],
): Promise<Response> {
  const answer = (await forwardToController(context, request, request.timeoutMs)) as Response
  if (request.validateOnly) return answer
  const topics = made(answer).filter(({ errorCode }) => errorCode === ErrorCode.NONE)
  const names = topics.map(({ name }) => name)
  await whenWritable(context, names, request.timeoutMs)
  return answer
}

/** Resolves when this broker's partitions of all `topics` take produce requests, or at `timeoutMs`. */
function whenWritable(context: RequestContext, topics: readonly string[], timeoutMs: number): Promise<void> {
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
