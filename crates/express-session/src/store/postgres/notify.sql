-- Lets PostgreSQL tell whoever listens that a session was destroyed, or that its user changed.
-- For PostgreSQL 11 or later. To be run by the table's owner; may be run again.
-- To uninstall: the three DROP TRIGGER below, and DROP FUNCTION {function}().

-- Tells a hash of the session's id, since any role may listen. Never stops the app from writing.
CREATE OR REPLACE FUNCTION {schema}{function}() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  channel text := 'express_session_' || TG_RELID;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify(channel, 'all');
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    BEGIN
      -- PostgreSQL can't read every escape that JSON may have, such as \u0000. With /u it is text.
      IF (replace(OLD."{json}"::text, '\u', '/u')::json -> TG_ARGV[0])::text
        IS NOT DISTINCT FROM (replace(NEW."{json}"::text, '\u', '/u')::json -> TG_ARGV[0])::text
      THEN
        RETURN NULL;
      END IF;
    EXCEPTION WHEN others THEN
      NULL; -- No JSON, or too deep: whose session it is only the app can tell. So it is told.
    END;
  END IF;
  PERFORM pg_notify(channel, encode(sha256(convert_to(OLD."sid"::text, 'UTF8')), 'hex'));
  RETURN NULL;
END $$;

-- A logout, not the app's pruning of sessions that are over.
DROP TRIGGER IF EXISTS express_session_destroyed ON {table};
CREATE TRIGGER express_session_destroyed AFTER DELETE ON {table} FOR EACH ROW
WHEN ((OLD."{end}" < now()) IS NOT TRUE)
EXECUTE FUNCTION {schema}{function}();

-- A login or logout, not a save of other things: the user is in 'passport'. A touch is not even
-- looked at, for it leaves this column alone.
DROP TRIGGER IF EXISTS express_session_user_changed ON {table};
CREATE TRIGGER express_session_user_changed AFTER UPDATE OF "{json}" ON {table} FOR EACH ROW
EXECUTE FUNCTION {schema}{function}('passport');

-- Everybody is logged out.
DROP TRIGGER IF EXISTS express_session_truncated ON {table};
CREATE TRIGGER express_session_truncated AFTER TRUNCATE ON {table} FOR EACH STATEMENT
EXECUTE FUNCTION {schema}{function}();
