/**
 * Opens what another thread may have had: under Deno one that is said to have ended may still be giving its lock back,
 * or have just taken it. Gives up after some seconds.
 */
export async function unlocked<Opened>(open: () => Promise<Opened>): Promise<Opened> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await open()
    } catch (error) {
      if (attempt === 500 || (error as { code?: string }).code !== 'ERR_LOCKED') throw error
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
}
