-- +goose Up
-- Who an entity points at: relations the other way.
CREATE INDEX relations_by_entity ON relations (entity_id, relation_id, target_blueprint_id, target_identifier);

-- A JSON number as search reads it: the nearest double; beyond the greatest, infinity; within half the least, zero. A cast
-- refuses the last two.
-- +goose StatementBegin
CREATE FUNCTION longshore_number(t TEXT) RETURNS DOUBLE PRECISION LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  exponent TEXT;
  whole TEXT;
  fraction TEXT;
  n NUMERIC;
  place INT;
BEGIN
  IF length(t) < 300 AND t !~ '[eE]' THEN
    RETURN t::double precision;
  END IF;
  exponent := substring(t FROM '[eE][+]?(-?[0-9]+)$');
  exponent := regexp_replace(exponent, '^(-?)0+([0-9])', '\1\2');
  IF length(exponent) > 6 THEN
    RETURN CASE WHEN t ~ '^-?[0.]+[eE]' OR exponent LIKE '-%' THEN 0 WHEN t LIKE '-%' THEN '-Infinity'::double precision ELSE 'Infinity'::double precision END;
  END IF;
  IF length(t) > 2000 THEN -- more digits than a numeric holds, perhaps: the first thousand decide
    whole := ltrim(split_part(substring(t FROM '^-?([^eE]+)'), '.', 1), '0');
    fraction := split_part(substring(t FROM '^-?([^eE]+)'), '.', 2);
    place := length(whole) + coalesce(exponent::int, 0);
    IF whole = '' THEN
      place := place - length(fraction) + length(ltrim(fraction, '0'));
    END IF;
    fraction := ltrim(whole || fraction, '0');
    IF fraction = '' OR place < -400 THEN
      RETURN 0;
    END IF;
    RETURN longshore_number(CASE WHEN t LIKE '-%' THEN '-' ELSE '' END || '0.' || left(fraction, 1000) || 'e' || least(place, 400));
  END IF;
  n := substring(t FROM '^[^eE]+')::numeric;
  IF n = 0 OR coalesce(exponent::int, 0) < -100000 THEN
    RETURN 0;
  END IF;
  IF coalesce(exponent::int, 0) > 100000 THEN
    RETURN CASE WHEN n < 0 THEN '-Infinity'::double precision ELSE 'Infinity'::double precision END;
  END IF;
  -- n becomes a digit, a point and the rest; place is the power of ten of that digit.
  n := abs(n);
  place := floor(log(n));
  n := CASE WHEN place > 0 THEN n / power(10::numeric, place) ELSE n * power(10::numeric, -place) END;
  place := place + coalesce(exponent::int, 0);
  IF place > 308 OR place = 308 AND n >= 1.79769313486231580793 THEN
    RETURN CASE WHEN t LIKE '-%' THEN '-Infinity'::double precision ELSE 'Infinity'::double precision END;
  END IF;
  IF place < -324 OR place = -324 AND n <= 2.4703282292062327208 THEN
    RETURN 0;
  END IF;
  RETURN t::double precision;
END $$;
-- +goose StatementEnd

-- A date-time as search reads it, in Unix milliseconds: RFC 3339 to the letter, in capitals, leap seconds excepted; what is
-- finer is cut off. NULL for any other text. Nothing here hangs on the session's settings.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION longshore_millis(text TEXT) RETURNS BIGINT LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  m TEXT[];
  y INT; mo INT; d INT; last INT; yy INT; era INT; yoe INT; doy INT; days BIGINT; secs BIGINT; zone INT := 0;
BEGIN
  IF length(text) < 20 OR substr(text, 11, 1) <> 'T' THEN
    RETURN NULL;
  END IF;
  m := regexp_match(text, '^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$');
  IF m IS NULL OR m[4] > '23' OR m[5] > '59' OR m[6] > '59' OR m[9] > '23' OR m[10] > '59' THEN
    RETURN NULL;
  END IF;
  y := m[1]::int; mo := m[2]::int; d := m[3]::int;
  IF mo < 1 OR mo > 12 THEN
    RETURN NULL;
  END IF;
  last := CASE WHEN mo IN (4, 6, 9, 11) THEN 30 WHEN mo <> 2 THEN 31 WHEN y % 4 = 0 AND (y % 100 <> 0 OR y % 400 = 0) THEN 29 ELSE 28 END;
  IF d < 1 OR d > last THEN
    RETURN NULL;
  END IF;
  -- Days of the civil calendar, counted in years that begin in March.
  yy := y + 400 - CASE WHEN mo <= 2 THEN 1 ELSE 0 END;
  era := yy / 400;
  yoe := yy - era * 400;
  doy := (153 * (mo + CASE WHEN mo > 2 THEN -3 ELSE 9 END) + 2) / 5 + d - 1;
  days := era::bigint * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468 - 146097;
  IF m[8] IS NOT NULL THEN
    zone := (m[9]::int * 60 + m[10]::int) * 60 * CASE m[8] WHEN '-' THEN -1 ELSE 1 END;
  END IF;
  secs := days * 86400 + m[4]::int * 3600 + m[5]::int * 60 + m[6]::int - zone;
  RETURN secs * 1000 + coalesce(rpad(left(m[7], 3), 3, '0')::int, 0);
END $$;
-- +goose StatementEnd

-- The words of entities, for global search: cut in Go, so that both databases know the same. They follow the entities in
-- the background: words_queue holds those that changed since.
CREATE TABLE entity_words (
  entity_id BIGINT PRIMARY KEY,
  words     TSVECTOR NOT NULL
);
CREATE INDEX entity_words_by_word ON entity_words USING gin (words);
CREATE TABLE words_queue (
  entity_id BIGINT PRIMARY KEY
);
INSERT INTO words_queue SELECT id FROM entities;
-- +goose StatementBegin
CREATE FUNCTION longshore_queue_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO words_queue (entity_id) SELECT id FROM changed ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER words_of_new AFTER INSERT ON entities REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION longshore_queue_words();
CREATE TRIGGER words_of_changed AFTER UPDATE ON entities REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION longshore_queue_words();
CREATE TRIGGER words_of_gone AFTER DELETE ON entities REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION longshore_queue_words();
-- A blueprint that enters or leaves global search.
-- +goose StatementBegin
CREATE FUNCTION longshore_queue_blueprint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO words_queue (entity_id) SELECT id FROM entities WHERE blueprint_id = NEW.id ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER words_of_blueprint AFTER UPDATE OF doc ON blueprints FOR EACH ROW
WHEN ((OLD.doc::json ->> 'includeInGlobalSearch') IS DISTINCT FROM (NEW.doc::json ->> 'includeInGlobalSearch')
  OR (OLD.doc::json ->> 'history') IS DISTINCT FROM (NEW.doc::json ->> 'history')) EXECUTE FUNCTION longshore_queue_blueprint();
