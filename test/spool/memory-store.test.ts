import { MemoryStore } from '../../src/spool/memory-store.js';
import { storeContract } from '../contracts/store.js';

storeContract('memory', async () => ({
  open: async () => new MemoryStore(),
  isLasting: false,
  cleanup: async () => {},
}));
