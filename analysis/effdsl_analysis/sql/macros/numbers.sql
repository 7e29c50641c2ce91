-- Numbers as the other queries compare them.
--
-- digits12(x)      x on 12 significant digits. Averages of equal numbers can differ in their last bit with the
--                  order of summation; on 12 digits they are equal, so an exact tie stays a tie.
--                  A mean of rounded numbers often ends in a 5 that could go either way: means are summed in order, too.
-- t_quantile(df)   the 97.5% quantile of Student's t with df degrees of freedom: half of a 95% interval in
--                  standard errors. A fraction of a degree is dropped, which widens the interval (2.9999999999 is a
--                  rounded 3, though). Above 100 degrees: the expansion of the quantile around the normal's
--                  (Abramowitz and Stegun 26.7.5), right to 1e-7. NULL below one degree: one repeat has no interval.

CREATE OR REPLACE TEMP MACRO digits12(x) AS
  CASE WHEN x = 0 OR NOT isfinite(x) THEN x::DOUBLE
       ELSE round(x::DOUBLE, (11 - floor(log10(abs(x))))::INTEGER) END;

CREATE OR REPLACE TEMP MACRO t_quantile(df) AS
  CASE WHEN df < 1 - 1e-9 THEN NULL
       WHEN df > 100 THEN
         1.959963985 + 2.372271230 / df + 2.822498616 / df ** 2 + 2.555849680 / df ** 3
       ELSE [
    12.706204736, 4.302652730, 3.182446305, 2.776445105, 2.570581836, 2.446911851, 2.364624252,
    2.306004135, 2.262157163, 2.228138852, 2.200985160, 2.178812830, 2.160368656, 2.144786688,
    2.131449546, 2.119905299, 2.109815578, 2.100922040, 2.093024054, 2.085963447, 2.079613845,
    2.073873068, 2.068657610, 2.063898562, 2.059538553, 2.055529439, 2.051830516, 2.048407142,
    2.045229642, 2.042272456, 2.039513446, 2.036933343, 2.034515297, 2.032244509, 2.030107928,
    2.028094001, 2.026192463, 2.024394164, 2.022690920, 2.021075390, 2.019540970, 2.018081703,
    2.016692199, 2.015367574, 2.014103389, 2.012895599, 2.011740514, 2.010634758, 2.009575237,
    2.008559112, 2.007583770, 2.006646805, 2.005745995, 2.004879288, 2.004044783, 2.003240719,
    2.002465459, 2.001717484, 2.000995378, 2.000297822, 1.999623585, 1.998971517, 1.998340543,
    1.997729654, 1.997137908, 1.996564419, 1.996008354, 1.995468931, 1.994945415, 1.994437112,
    1.993943368, 1.993463567, 1.992997126, 1.992543495, 1.992102154, 1.991672610, 1.991254395,
    1.990847069, 1.990450210, 1.990063421, 1.989686323, 1.989318557, 1.988959780, 1.988609667,
    1.988267907, 1.987934206, 1.987608282, 1.987289865, 1.986978700, 1.986674541, 1.986377154,
    1.986086317, 1.985801814, 1.985523442, 1.985251004, 1.984984312, 1.984723186, 1.984467455,
    1.984216952, 1.983971519
       ][floor(df + 1e-9)::INTEGER] END;
