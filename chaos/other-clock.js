// Loaded into a replica before the service (`--import`): its clock is wrong by CLOCK_WRONG_MS.

const wrongMs = Number(process.env.CLOCK_WRONG_MS);
const { now } = Date;
Date.now = () => now() + wrongMs;
