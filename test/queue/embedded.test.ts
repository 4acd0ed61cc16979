import { queueContract } from './contract.ts'
import { EmbeddedHarness } from './embedded-harness.ts'

queueContract('embedded', async () => new EmbeddedHarness())
