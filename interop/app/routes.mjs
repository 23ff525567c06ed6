import { Router, urlencoded } from 'express';

export function createRoutes(passport) {
  const routes = Router();

  routes.post('/login', urlencoded({ extended: false }), passport.authenticate('local'), (req, res) => {
    res.json({ user: req.user.profile });
  });

  routes.post('/logout', (req, res, next) => {
    req.logout((error) => (error ? next(error) : res.sendStatus(204)));
  });

  // Counting makes express-session save a session without a login.
  routes.get('/visit', (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1;
    res.json({ views: req.session.views });
  });

  // The reference answer: the user of this cookie, as Express sees it.
  routes.get('/me', (req, res) => {
    if (!req.isAuthenticated()) return res.status(401).json({ user: null });
    res.json({ user: req.user.profile, key: req.session.passport.user });
  });

  return routes;
}
