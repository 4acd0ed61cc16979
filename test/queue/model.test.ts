import { afterEach, beforeEach, describe, it } from 'vitest'
import { EmbeddedHarness } from './embedded-harness.ts'
import { runModel, seed } from './model-run.ts'

describe('the embedded queue', () => {
  let harness: EmbeddedHarness
  beforeEach(() => {
    harness = new EmbeddedHarness()
  })
  afterEach(() => harness.destroy())

  it.each([seed, seed + 1])('answers as the model does (SEED=%i)', { timeout: 60_000 }, async (each) => {
    await runModel(harness, { seed: each, steps: 1500 })
  })
})
