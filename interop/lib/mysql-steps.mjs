import { Mariadb } from './mariadb.mjs';
import { storeSteps } from './store-steps.mjs';

/** The steps of every store, on a MariaDB of their own: `layout` and `table` as in its URL, the rest as in `storeSteps`. */
export function mysqlSteps({ layout, table, ...steps }) {
  storeSteps({
    needs: ['mariadb'],
    async start() {
      const mariadb = await Mariadb.start();
      const parameters = new URLSearchParams({ ...(layout && { layout }), ...(table && { table }) });
      return { storeUrl: `${mariadb.url}?${parameters}`, mariadb, close: () => mariadb.close() };
    },
    // All layouts keep whole seconds.
    resolutionMs: 1_000,
    ...steps,
  });
}
