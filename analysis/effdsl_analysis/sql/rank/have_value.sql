-- Which metrics have a value in what is asked? Parameters: $study, $scale (NULL: any).

SELECT DISTINCT metric FROM measurements SEMI JOIN (FROM chosen($study, $scale)) USING (key);
