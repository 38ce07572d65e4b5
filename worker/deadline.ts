/** The end of one call, which is gone with the call. */
export interface Deadline {
  readonly signal: AbortSignal
  /** To be called when the call is done, however it went. */
  end(): void
}

/**
 * Aborts after a time-out, or when somebody else says so.
 *
 * `AbortSignal.timeout` lives for its whole time-out, and so does what it holds: in a rush these are seconds of
 * calls that were answered long ago, and a heap that is three times as large until it is collected as a whole.
 */
export function startDeadline(timeoutMs: number, stop?: AbortSignal): Deadline {
  const controller = new AbortController()
  const onStop = (): void => controller.abort(stop?.reason)
  const timer = setTimeout(
    () => controller.abort(new DOMException(`no end within ${timeoutMs} ms`, 'TimeoutError')),
    timeoutMs,
  )
  stop?.addEventListener('abort', onStop, { once: true })
  if (stop?.aborted === true) onStop()
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer)
      stop?.removeEventListener('abort', onStop)
    },
  }
}
