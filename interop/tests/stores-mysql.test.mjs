import { mysqlSteps } from '../lib/mysql-steps.mjs';

mysqlSteps({ name: 'express-mysql-session' });
mysqlSteps({ name: 'express-mysql-session, in a table of another name', table: 'my-app_sessions' });
