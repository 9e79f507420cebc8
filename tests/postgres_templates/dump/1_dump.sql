-- As pg_dump writes it.
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.things (id int);
