import { within } from './wait.mjs';

/** Remembers every payload of an event, so that nothing is missed between two waits. */
export function broadcasts(socket, event) {
  const heard = [];
  let onHeard = () => {};
  socket.on(event, (payload) => {
    heard.push(payload);
    onHeard();
  });

  return {
    heard,

    /** The latest payload, once `holds` is true of it. */
    until(holds, what) {
      const arrived = new Promise((resolve) => {
        onHeard = () => {
          const latest = heard.at(-1);
          if (latest !== undefined && holds(latest)) resolve(latest);
        };
        onHeard();
      });
      return within(arrived, () => `"${event}" to show ${what}; the latest was ${JSON.stringify(heard.at(-1))}`);
    },
  };
}
